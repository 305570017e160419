from manybody.cases.page import *


def build_page(study, records):
    return Page((), (), (cases_table(records),))
