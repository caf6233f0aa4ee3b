"""The perceptors: one file a family, each giving what `t2iflow.nodes.perceptor.Clip` asks for."""
