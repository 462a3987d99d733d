"""What measures this code: its speed and its memory."""
