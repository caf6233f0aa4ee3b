"""`python -m t2iflow.runner`, for when the console command is not on the path."""

from t2iflow.runner.cli.main import main

main()
