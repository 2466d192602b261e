"""The table that the demo's import fills."""

from django.db import models

from .rows import DECIMAL_PLACES, MAX_DIGITS, MAX_EMAIL_LENGTH, MAX_NAME_LENGTH


class Customer(models.Model):
    """A customer, with the values of a row of an imported file."""

    name = models.CharField(max_length=MAX_NAME_LENGTH)
    email = models.EmailField(max_length=MAX_EMAIL_LENGTH)
    amount = models.DecimalField(max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    joined = models.DateField()

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
