"""The made-up question files are what their script writes."""

from tests.data.questions.make_questions import FOLDER, files


def test_the_generated_question_files_equal_the_output_of_their_script() -> None:
    assert {name: (FOLDER / name).read_text(encoding="utf-8") for name in files()} == files()
