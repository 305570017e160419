FORMAT = 2
READERS = {1: None, 2: None}


def hash_in(study, store_format):
    return study.hash()
