"""The command line and the Prefect flows: a few lines each that call the layers below."""
