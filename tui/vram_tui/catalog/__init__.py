"""Facts about models, formats and hardware: loading, checking, searching."""
