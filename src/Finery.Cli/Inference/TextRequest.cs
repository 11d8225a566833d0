using Finery.Models.Generation;

namespace Finery.Cli.Inference;

/// <summary>How to continue a prompt.</summary>
/// <param name="Settings">Sampling, seed and token limit.</param>
/// <param name="Stop">Text that ends generation and is never shown.</param>
/// <param name="LogProbabilities">Null for none; otherwise how many alternatives to list beside each token.</param>
public sealed record TextRequest(GenerationSettings Settings, IReadOnlyList<string> Stop, int? LogProbabilities = null);

/// <summary>A generated token and how likely the model thought it (natural logarithm, temperature 1).</summary>
/// <param name="Id">The token.</param>
/// <param name="Value">Its log-probability.</param>
/// <param name="Alternatives">The likeliest tokens at its place, best first.</param>
public sealed record TokenLogProbability(int Id, float Value, IReadOnlyList<(int Id, float LogProbability)> Alternatives);

/// <summary>A part of a generated text: whole characters only, and never part of a stop sequence.</summary>
/// <param name="Text">May be empty.</param>
/// <param name="Tokens">Tokens generated so far.</param>
/// <param name="Finish">Set on the last part: stop or length.</param>
/// <param name="LogProbabilities">Of the tokens whose text is in this part, where asked for.</param>
public readonly record struct TextPiece(
    string Text, int Tokens, FinishReason Finish, IReadOnlyList<TokenLogProbability> LogProbabilities);
