"""The perceptors: one file a family, each giving what `t2iflow.nodes.perceptors.interface.Clip` asks for."""
