"""Reading images as people have them: rows of a table or files of a folder, then pixels, then one `Table`."""
