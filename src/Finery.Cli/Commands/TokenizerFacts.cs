using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;

namespace Finery.Cli.Commands;

/// <summary>What a tokenizer is, as figures: for <c>tokenizer info</c> and <c>inspect</c>.</summary>
internal static class TokenizerFacts
{
    private const int LongestTokens = 10;

    /// <summary>The files that can belong to a tokenizer.</summary>
    private static readonly string[] Files =
    [
        TokenizerFile.FileName, TokenizerFile.ConfigFileName, TokenizerFile.SpecialTokensMapFileName, TokenizerFile.TemplateFileName,
        "vocab.json", "merges.txt",
    ];

    /// <summary>Loads and describes a tokenizer.</summary>
    /// <exception cref="UsageException">There is nothing at the path.</exception>
    public static JsonObject Of(string path)
    {
        var tokenizer = Load(path);
        var description = TokenizerDescription.Of(tokenizer);
        var config = tokenizer.Config;
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        return new JsonObject
        {
            ["vocab_size"] = tokenizer.VocabSize,
            ["tokens"] = description.Tokens,
            ["model"] = description.Kind,
            ["merges"] = description.Merges,
            ["split"] = description.Split?.ToString() ?? "other",
            ["whole_chunks_first"] = tokenizer.IgnoreMerges,
            ["fingerprint"] = tokenizer.Fingerprint,
            ["bos"] = Role(tokenizer, config.BosToken),
            ["eos"] = Role(tokenizer, config.EosToken),
            ["pad"] = Role(tokenizer, config.PadToken),
            ["unk"] = Role(tokenizer, config.UnkToken),
            ["model_max_length"] = config.ModelMaxLength,
            ["chat_template"] = config.ChatTemplate is not null,
            ["chat_template_findings"] = Findings(tokenizer),
            ["special_tokens"] = new JsonArray([.. tokenizer.SpecialTokens.Select(token => new JsonObject
            {
                ["id"] = token.Id, ["text"] = token.Content, ["special"] = token.Special, ["normalized"] = token.Normalized,
                ["single_word"] = token.SingleWord, ["lstrip"] = token.StripsLeft, ["rstrip"] = token.StripsRight,
            })]),
            ["longest_tokens"] = new JsonArray([.. TokenizerReport.Longest(tokenizer, LongestTokens).Select(token => new JsonObject
            {
                ["id"] = token.Id, ["text"] = token.Text, ["bytes"] = token.Figure,
            })]),
            ["files"] = new JsonArray([.. Files.Select(name => new FileInfo(Path.Combine(folder, name))).Where(file => file.Exists)
                .Select(file => new JsonObject { ["name"] = file.Name, ["bytes"] = file.Length })]),
        };
    }

    /// <summary>Loads a tokenizer named on the command line.</summary>
    /// <exception cref="UsageException">There is nothing at the path.</exception>
    public static Tokenizer Load(string path) => File.Exists(path) || Directory.Exists(path)
        ? TokenizerFile.Load(path)
        : throw new UsageException($"there is no tokenizer at {Path.GetFullPath(path)}.");

    /// <summary>What the checks before training say of the template; null without one.</summary>
    private static JsonArray? Findings(Tokenizer tokenizer)
    {
        if (tokenizer.Config.ChatTemplate is null) return null;
        try
        {
            return new JsonArray([.. new ChatTemplate(tokenizer).Check().Select(finding => new JsonObject
            {
                ["check"] = finding.Name, ["problem"] = finding.IsProblem, ["finding"] = finding.Message,
            })]);
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            return [new JsonObject { ["check"] = "template", ["problem"] = true, ["finding"] = problem.Message }];
        }
    }

    private static string? Role(Tokenizer tokenizer, string? token) => token is null ? null
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{token} ({tokenizer.IdOf(token)})");
}
