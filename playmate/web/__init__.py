"""A page in the browser for one machine: upload or record, choose, watch. `playmate web`."""
