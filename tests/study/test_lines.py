from manybody.study.lines import folded


def test_names_that_leave_no_room_have_lines_of_their_own():
    numbers = "1234567890" * 8
    lines = folded([("", numbers), ("short", numbers), ("long" * 5, numbers), ("a-" * 70, "1")])
    assert max(map(len, lines)) <= 100
    assert lines[0] == f"  {'':<5} {numbers}" and lines[1] == f"  short {numbers}"
    assert lines[2:4] == [f"  {'long' * 5}", f"  {'':<5} {numbers}"]
    assert "".join(line.strip() for line in lines[4:-1]) == "a-" * 70


def test_names_with_room_share_the_line_of_their_numbers():
    assert folded([("", "n"), ("one", "1"), ("three", "3")]) == [
        "        n",
        "  one   1",
        "  three 3",
    ]
