namespace Finery.Data.Tokenizers;

/// <summary>What goes with a published rank file, which says neither its split nor its control tokens. The ids are those of OpenAI's
/// tiktoken.</summary>
/// <param name="Name">As in the file's name, <c>cl100k_base.tiktoken</c>.</param>
/// <param name="Regex">How text is cut.</param>
/// <param name="SpecialTokens">Ids of the control tokens by their text.</param>
internal sealed record TiktokenEncoding(string Name, string Regex, IReadOnlyDictionary<string, int> SpecialTokens)
{
    private const string EndOfText = "<|endoftext|>", EndOfPrompt = "<|endofprompt|>";

    private const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

    // Words end before a capital that follows a small letter.
    private const string O200kRegex =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + Contraction +
        @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + Contraction +
        @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly TiktokenEncoding[] Published =
    [
        Of("gpt2", SplitPattern.Gpt2, (EndOfText, 50256)),
        Of("r50k_base", SplitPattern.Gpt2, (EndOfText, 50256)),
        Of("p50k_base", SplitPattern.Gpt2, (EndOfText, 50256)),
        Of("cl100k_base", SplitPattern.Llama3, (EndOfText, 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259),
            ("<|fim_suffix|>", 100260), (EndOfPrompt, 100276)),
        new("o200k_base", O200kRegex, new Dictionary<string, int> { [EndOfText] = 199999, [EndOfPrompt] = 200018 }),
    ];

    /// <summary>The encoding that a file's name names.</summary>
    /// <exception cref="NotSupportedException">It names none.</exception>
    public static TiktokenEncoding Named(string path) =>
        Array.Find(Published, encoding => Path.GetFileNameWithoutExtension(path) == encoding.Name) ?? throw new NotSupportedException(
            $"{path}: a rank file does not say how text is split, and its name is that of no published one " +
            $"({string.Join(", ", Published.Select(encoding => encoding.Name + TiktokenFile.Extension))}). Name it so, or load it with a split.");

    private static TiktokenEncoding Of(string name, SplitPattern pattern, params (string Text, int Id)[] special) =>
        new(name, PreTokenizer.Regex(pattern), special.ToDictionary(token => token.Text, token => token.Id));
}
