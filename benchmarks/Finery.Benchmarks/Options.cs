using System.Globalization;
using System.Numerics;

namespace Finery.Benchmarks;

/// <param name="Threads">Thread counts to measure.</param>
/// <param name="Only">Measures only cases whose name contains this.</param>
/// <param name="PyTorchStep">The peer's training script; null leaves training without a peer.</param>
internal sealed record Options(int[] Threads, string Only, string? PyTorchStep = null)
{
    public static Options Parse(ReadOnlySpan<string> arguments)
    {
        var options = new Options([1, Environment.ProcessorCount], "");
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = i + 1 < arguments.Length ? arguments[i + 1] : throw new FormatException($"{arguments[i]} needs a value.");
            options = arguments[i] switch
            {
                "--threads" => options with { Threads = [.. value.Split(',').Select(ParseCount)] },
                "--only" => options with { Only = value },
                "--pytorch" => options with
                {
                    PyTorchStep = File.Exists(value) ? value : throw new FormatException($"--pytorch: there is no file '{value}'."),
                },
                _ => throw new FormatException($"Unknown option '{arguments[i]}': --threads 1,2, --only TEXT or --pytorch SCRIPT."),
            };
        }
        return options with { Threads = [.. options.Threads.Distinct()] };
    }

    /// <summary>The value that stands behind an option; null without the option.</summary>
    public static string? Value(string[] arguments, string name) => Array.IndexOf(arguments, name) is >= 0 and var at
        ? at + 1 < arguments.Length ? arguments[at + 1] : throw new FormatException($"{name} needs a value.") : null;

    /// <summary>The positive whole number that stands behind an option; <paramref name="otherwise"/> without the option.</summary>
    public static T Number<T>(string[] arguments, string name, T otherwise) where T : IBinaryInteger<T> =>
        Value(arguments, name) is not { } text ? otherwise
        : T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > T.Zero ? number
        : throw new FormatException($"{name}: '{text}' is not a positive number.");

    private static int ParseCount(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= 1024
            ? count : throw new FormatException($"--threads: '{text}' is not a number from 1 to 1024.");
}
