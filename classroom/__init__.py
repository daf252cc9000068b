"""Material for teaching: for students, for instructors, for nbgrader."""
