"""What must be true of data before it is written: pandera schemas and the gate that turns failures into verdicts.

Belongs here: frames, schemas, verdicts. Does not belong here: how a document is made (``domain``) or stored
(``store``).
"""
