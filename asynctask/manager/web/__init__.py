"""A manager over HTTP: REST, server-sent events, metrics for Prometheus, a page. Needs the extra ``web``."""
