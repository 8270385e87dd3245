"""Jobs from upload to model: checked, queued, run in workers that outlive the server."""
