"""When time passes, ask that. The only room that knows APScheduler; it keeps no truth of its own."""
