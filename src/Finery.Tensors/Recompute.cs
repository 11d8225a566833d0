namespace Finery.Tensors;

/// <summary>What the backward pass computes again instead of keeping it from the forward pass. Results are the same bits.</summary>
public enum Recompute
{
    /// <summary>Nothing: fastest.</summary>
    None = 0,

    /// <summary>The outputs of norms and of SwiGLU, which cost next to nothing.</summary>
    Selective = 1,

    /// <summary>Everything inside a layer: only the residual stream between layers is kept, for about a third more work.</summary>
    Full = 2,
}
