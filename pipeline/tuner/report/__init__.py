"""What a run came to: a page of its own (`page.write_report`), and text for a terminal (`terminal.text_report`)."""
