using System.CommandLine;
using Finery.Cli.Inference;
using Finery.Models.Generation;

namespace Finery.Cli.Commands;

/// <summary>The flags of <c>generate</c> and <c>chat</c> that say how tokens are chosen.</summary>
public sealed class SamplingOptions
{
    private static readonly GenerationSettings Defaults = new();

    private readonly Option<int> _maxTokens =
        new("--max-tokens") { Description = "Most tokens to generate.", DefaultValueFactory = _ => 256 };
    private readonly Option<float> _temperature = new("--temperature")
    {
        Description = "Divides the logits; 0 always takes the likeliest token.",
        DefaultValueFactory = _ => Defaults.Temperature,
    };
    private readonly Option<int> _topK =
        new("--top-k") { Description = "Sample among the K likeliest; 0 for all.", DefaultValueFactory = _ => Defaults.TopK };
    private readonly Option<float> _topP = new("--top-p")
    {
        Description = "Sample within the smallest set of this probability.",
        DefaultValueFactory = _ => Defaults.TopP,
    };
    private readonly Option<float> _repetitionPenalty = new("--repetition-penalty")
    {
        Description = "Above 1 makes tokens seen before less likely.",
        DefaultValueFactory = _ => Defaults.RepetitionPenalty,
    };
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Same seed, same text. Default: another each time." };
    private readonly Option<string[]> _stop =
        new("--stop") { Description = "End before this text; may be repeated.", DefaultValueFactory = _ => [] };

    /// <summary>Adds the flags to a command.</summary>
    public SamplingOptions(Command command)
    {
        foreach (Option option in new Option[] { _maxTokens, _temperature, _topK, _topP, _repetitionPenalty, _seed,
            _stop }) command.Add(option);
    }

    /// <summary>What the user gave.</summary>
    /// <exception cref="UsageException">A value is out of its range.</exception>
    public TextRequest Read(ParseResult parsed)
    {
        var settings = new GenerationSettings
        {
            MaxTokens = parsed.GetValue(_maxTokens),
            Temperature = parsed.GetValue(_temperature),
            TopK = parsed.GetValue(_topK),
            TopP = parsed.GetValue(_topP),
            RepetitionPenalty = parsed.GetValue(_repetitionPenalty),
            Seed = parsed.GetValue(_seed) ?? TextEngine.RandomSeed(),
        };
        var stops = parsed.GetValue(_stop)!;
        var errors = settings.Validate().ToList();
        if (stops.Any(stop => stop.Length == 0)) errors.Add("--stop must not be empty.");
        return errors.Count == 0 ? new TextRequest(settings, stops) : throw new UsageException(string.Join(" ", errors));
    }
}
