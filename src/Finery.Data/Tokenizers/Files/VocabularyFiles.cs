using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Reads GPT-2's older pair of files: <c>vocab.json</c> (token to id) and <c>merges.txt</c> (a merge per line, first
/// <c>#version: 0.2</c>), split as GPT-2 does.</summary>
internal static class VocabularyFiles
{
    private const string VocabularyName = "vocab.json", MergesName = "merges.txt", Gpt2Control = "<|endoftext|>";

    public static bool AreIn(string folder) =>
        File.Exists(Path.Combine(folder, VocabularyName)) && File.Exists(Path.Combine(folder, MergesName));

    /// <summary>The tokenizer of a folder; the tokens with a role in <paramref name="config"/> are its control tokens, by
    /// default GPT-2's.</summary>
    public static Tokenizer Load(string folder, TokenizerConfig? config) => Parse(
        TokenizerFile.Read(Path.Combine(folder, VocabularyName)), TokenizerFile.Read(Path.Combine(folder, MergesName)), config);

    public static Tokenizer Parse(string vocabulary, string merges, TokenizerConfig? config)
    {
        var tokens = new Dictionary<int, string>();
        try
        {
            using var document = JsonDocument.Parse(vocabulary);
            TokenizerReader.ReadVocabulary(document.RootElement, tokens);
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{VocabularyName} is not valid: {problem.Message}", problem);
        }
        string?[] roles = [config?.BosToken, config?.EosToken, config?.PadToken, config?.UnkToken, Gpt2Control];
        AddedToken[] added = [.. tokens.Where(token => roles.Contains(token.Value) && token.Value.Length > 0)
            .Select(token => new AddedToken(token.Key, token.Value)).OrderBy(token => token.Id)];
        var layout = TokenizerLayout.Create(SplitPattern.Gpt2, bos: null, bosId: 0);
        Tokenizer tokenizer = new(TokenizerReader.Assemble(tokens, added, layout) with
        {
            Merges = TokenizerReader.IndexMerges(Lines(merges), tokens),
        });
        return tokenizer.WithConfig(TokenizerConfigFile.Guess(tokenizer.SpecialTokens));
    }

    private static IEnumerable<(string, string)> Lines(string merges)
    {
        int count = 0;
        foreach (string line in merges.Split('\n'))
        {
            string text = line.TrimEnd('\r');
            if (text.Length > 0 && !text.StartsWith("#version", StringComparison.Ordinal))
                yield return TokenizerReader.SplitMerge(text, count++);
        }
    }
}
