"""Sources: where prices come from, besides `POST /prices`."""
