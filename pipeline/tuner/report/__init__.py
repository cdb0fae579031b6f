"""What a run came to, from its ledger: a page of its own, a picture for the mail, text for a terminal.

Public: `from_ledger.report_of` and `write`, `page.write_report`, `terminal.text_report`, `picture.png`.
"""
