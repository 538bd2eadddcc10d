"""How it flows: the log and its engines, intake, the stages on a signal's way, price sources and replay."""
