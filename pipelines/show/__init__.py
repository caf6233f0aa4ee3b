"""What is shown of recipes, plans and nodes: drawings, pages, schemas and resolved recipes."""
