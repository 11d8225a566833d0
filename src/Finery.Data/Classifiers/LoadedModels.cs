using System.Collections.Concurrent;
using System.Reflection;

namespace Finery.Data.Classifiers;

/// <summary>Models in use, each loaded once for the whole process.</summary>
internal static class LoadedModels
{
    private static readonly ConcurrentDictionary<string, Lazy<FastTextModel>> s_models = new(StringComparer.Ordinal);

    private static readonly Lazy<FastTextModel> s_language = new(LoadLanguage);

    /// <summary>The language identifier that comes with Finery.</summary>
    public static FastTextModel Language => s_language.Value;

    /// <summary>The model of a file; one that was rewritten since is loaded anew.</summary>
    public static FastTextModel Get(string path)
    {
        var file = new FileInfo(path);
        var key = $"{file.FullName}|{(file.Exists ? file.LastWriteTimeUtc.Ticks : 0)}";
        return s_models.GetOrAdd(key, _ => new(() => FastTextModel.Load(path))).Value;
    }

    private static FastTextModel LoadLanguage()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("lid.ftz")!;
        return FastTextModel.Load(stream, "lid.ftz");
    }
}
