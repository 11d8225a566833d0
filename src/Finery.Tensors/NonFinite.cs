using System.Globalization;

namespace Finery.Tensors;

/// <summary>The first op of a replay that wrote a value that is not finite.</summary>
/// <param name="Op">Name of the op.</param>
/// <param name="Pass">Forward or backward.</param>
/// <param name="Tensor">What it wrote, shape included.</param>
/// <param name="Element">Where, and which value.</param>
/// <param name="Cause">An input of the op that is not finite itself, and where; null where all its inputs are finite.</param>
public sealed record NonFinite(string Op, string Pass, string Tensor, NonFiniteElement Element, (string Tensor, NonFiniteElement Element)? Cause)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{Op} ({Pass}) wrote {Element.Text} to {Tensor} at {Element.Place}; "
        + (Cause is { } cause ? $"its input {cause.Tensor} is {cause.Element.Text} at {cause.Element.Place}" : "all its inputs are finite");
}

/// <summary>An element that is NaN or infinite.</summary>
/// <param name="Row">Row of the tensor as a matrix.</param>
/// <param name="Column">Column.</param>
/// <param name="Value">NaN or an infinity.</param>
public readonly record struct NonFiniteElement(int Row, int Column, float Value)
{
    internal string Text => Value.ToString(CultureInfo.InvariantCulture);

    internal string Place => string.Create(CultureInfo.InvariantCulture, $"row {Row}, column {Column}");

    /// <summary>The first such element of a floating-point tensor, or null.</summary>
    internal static NonFiniteElement? In(Tensor tensor)
    {
        if (tensor.Type is DType.I32 or DType.U16) return null;
        for (long i = 0; i < tensor.Length; i++)
        {
            if (!double.IsFinite(tensor[i])) return new((int)(i / tensor.Columns), (int)(i % tensor.Columns), (float)tensor[i]);
        }
        return null;
    }
}
