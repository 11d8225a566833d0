namespace Finery.Tensors;

/// <summary>A matrix packed for <see cref="Gemm"/> once and multiplied often: the output head, against one chunk of tokens after another.</summary>
internal sealed unsafe class PackedPanels : IDisposable
{
    private readonly Scratch _floats = new();
    private int _columns, _steps;

    /// <summary>Bytes held.</summary>
    public long Bytes => _floats.Bytes;

    public void Dispose() => _floats.Dispose();

    /// <summary>Room for a matrix of <paramref name="steps"/> rows and <paramref name="columns"/> columns.</summary>
    internal float* Reserve(int columns, int steps)
    {
        (_columns, _steps) = (columns, steps);
        int width = Gemm.PanelColumns;
        return _floats.Floats((long)(columns + width - 1) / width * width * steps + Tensors.Panels.Overrun);
    }

    /// <summary>The panels, which must be of a matrix of this shape.</summary>
    internal float* Panels(int columns, int steps) => (columns, steps) == (_columns, _steps)
        ? _floats.Floats(0) : throw new InvalidOperationException($"Packed is a {_steps} x {_columns} matrix, not {steps} x {columns}.");
}
