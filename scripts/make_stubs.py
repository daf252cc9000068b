"""Write the stubs of all graded exercises from their solutions, in the chapters."""

from lsmtl.lab.notebooks import chapters, exercises, stub


def main():
    """Replace each cell tagged `exercise` by what its solution leaves."""
    for chapter in chapters():
        text = chapter.read_text("utf-8")
        for exercise in exercises(chapter):
            if text.count(exercise.stub) != 1:
                raise ValueError(
                    f"{chapter.name}: the stub of {exercise.name} must be unique, it "
                    f"stands there {text.count(exercise.stub)} times"
                )
            text = text.replace(exercise.stub, stub(exercise.solution))
        chapter.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
