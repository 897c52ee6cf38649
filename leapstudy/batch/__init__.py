"""Running every notebook for every district. The only room that knows papermill."""
