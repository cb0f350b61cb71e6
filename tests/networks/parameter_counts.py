"""Parameters of layers, for counts that are added up by hand from the specification."""


def dense(inputs, outputs):
    return inputs * outputs + outputs


def conv(size, inputs, outputs):
    return size * size * inputs * outputs + outputs


def norm(channels):
    return 4 * channels  # scale, offset, and two moving statistics
