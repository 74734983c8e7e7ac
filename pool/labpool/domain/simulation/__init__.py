"""The planner tried out on traces: generated or recorded requests, replayed under several policies and measured."""
