using System.Diagnostics;
using System.Globalization;
using Finery.Data.Classifiers;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

/// <summary>The C++ command line, where it is installed (<c>apt-get install fasttext</c>).</summary>
internal static class FastTextCommand
{
    private static readonly string? s_path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "fasttext")).FirstOrDefault(File.Exists);

    public static void SkipIfAbsent() => Assert.SkipWhen(s_path is null, "fastText's command line is not installed");

    public static string Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(s_path!, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        return output;
    }

    /// <summary>What predict-prob prints.</summary>
    public static string Predict(string model, string textFile, int k) =>
        Run("predict-prob", model, textFile, k.ToString(CultureInfo.InvariantCulture));

    /// <summary>The same by our model, printed as C++ prints floats.</summary>
    public static string Predict(FastTextModel model, string textFile, int k) => string.Concat(
        File.ReadLines(textFile).Select(line => string.Join(' ', model.Predict(line, k).Select(
            best => best.Label + " " + best.Probability.ToString("g6", CultureInfo.InvariantCulture))) + "\n"));
}
