"""Files of rows as people have them: their formats, the files of a folder, and rows that are questions with options."""
