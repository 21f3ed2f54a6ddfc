"""The pack: a report as files that leave the house and can be checked anywhere.

Belongs here: the page, the workbook, the CSVs, the signed manifest, and checking a pack. Does not belong here: what a
report says (procedures, runner).
"""
