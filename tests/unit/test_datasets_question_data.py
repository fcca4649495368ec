"""The made-up question files are what their script writes."""

from tests.data.questions.make_questions import FOLDER, files


def test_the_made_up_question_files_are_those_that_their_script_writes() -> None:
    assert {name: (FOLDER / name).read_text(encoding="utf-8") for name in files()} == files()
