"""What durability costs: steps, runs over HTTP, lists, reruns, bytes and memory."""
