"""The perceptors, each giving what `t2iflow.nodes.perceptors.interface.Clip` asks for."""
