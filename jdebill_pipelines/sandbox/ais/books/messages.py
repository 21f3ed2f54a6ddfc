"""Errors and warnings of a form.

Belongs here: collecting them and ending a step. Not here: how an orchestration shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FormMessage:
    """An error or a warning of a form, as JDE shows it."""

    code: str
    title: str
    control: str = "0"

    def shown(self, severity: str) -> dict[str, str]:
        """The element of an `errors` or `warnings` array."""
        return {
            "CODE": self.code,
            "TITLE": f"{severity}: {self.title}",
            "ERRORCONTROL": self.control,
            "DESC": f"CAUSE . . . . {self.title}.\nRESOLUTION . . Correct the value and try again.",
            "MOBILE": "false",
        }


class FormError(Exception):
    """A form that cannot be saved; nothing has been written."""

    def __init__(self, errors: list[FormMessage], warnings: list[FormMessage]) -> None:
        super().__init__("; ".join(message.title for message in errors))
        self.errors = errors
        self.warnings = warnings


@dataclass
class Findings:
    """What a form finds wrong: all errors are shown together, warnings do not stop it."""

    errors: list[FormMessage] = field(default_factory=list)
    warnings: list[FormMessage] = field(default_factory=list)

    def error(self, code: str, title: str) -> None:
        """Note an error."""
        self.errors.append(FormMessage(code, title, str(20 + len(self.errors))))

    def warning(self, code: str, title: str) -> None:
        """Note a warning."""
        self.warnings.append(FormMessage(code, title, str(20 + len(self.warnings))))

    def refusal(self, code: str, title: str) -> FormError:
        """The end of the form for one more error."""
        self.error(code, title)
        return FormError(self.errors, self.warnings)

    def stop_if_wrong(self) -> None:
        """End the form when there are errors.

        Raises:
            FormError: there are.
        """
        if self.errors:
            raise FormError(self.errors, self.warnings)
