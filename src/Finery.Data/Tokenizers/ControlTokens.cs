namespace Finery.Data.Tokenizers;

/// <summary>The control tokens of tokenizers trained here, at ids 0 to 4 in this order.</summary>
public static class ControlTokens
{
    /// <summary>Begins every document and every conversation.</summary>
    public const string BeginOfText = "<|begin_of_text|>";

    /// <summary>Ends every document.</summary>
    public const string EndOfText = "<|end_of_text|>";

    /// <summary>Begins a turn of a conversation.</summary>
    public const string TurnStart = "<|im_start|>";

    /// <summary>Ends a turn of a conversation: what a chat model emits when it is done.</summary>
    public const string TurnEnd = "<|im_end|>";

    /// <summary>Fills rows; never a target.</summary>
    public const string Pad = "<|pad|>";

    /// <summary>All five, in id order.</summary>
    public static IReadOnlyList<string> All { get; } = [BeginOfText, EndOfText, TurnStart, TurnEnd, Pad];
}
