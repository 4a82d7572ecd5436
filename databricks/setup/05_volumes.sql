-- Schema locations and checkpoints of notebooks/02_autoloader. A pipeline keeps its own.

CREATE VOLUME IF NOT EXISTS IDENTIFIER(:volume) COMMENT 'Schema locations and checkpoints of Auto Loader';
