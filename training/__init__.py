"""Small weights of our own: trained from nothing, on freely licensed pictures that package registries serve."""
