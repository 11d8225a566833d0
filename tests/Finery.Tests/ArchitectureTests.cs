using System.Xml.Linq;
using Xunit;

namespace Finery.Tests;

public class ArchitectureTests
{
    /// <summary>The graph of docs/guide.md: arrows are project references and never point back.</summary>
    private static readonly Dictionary<string, string[]> References = new()
    {
        ["Finery.Tensors"] = [],
        ["Finery.Data"] = [],
        ["Finery.Models"] = ["Finery.Tensors"],
        ["Finery.Evaluation"] = ["Finery.Data", "Finery.Models"],
        ["Finery.Training"] = ["Finery.Data", "Finery.Evaluation", "Finery.Models"],
        ["Finery.Workflow"] = ["Finery.Training"],
        ["Finery.Cli"] = ["Finery.Workflow"],
    };

    private static readonly string[] Drawers = ["Util", "Utils", "Helper", "Helpers", "Manager", "Common", "Misc", "Base"];

    private static IEnumerable<string> Sources(params string[] folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(path => !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}"));

    [Fact]
    public void Project_references_are_the_documented_graph()
    {
        var actual = Directory.GetDirectories(Path.Combine(Repository.Root, "src")).ToDictionary(
            folder => Path.GetFileName(folder),
            folder => XDocument.Load(Path.Combine(folder, Path.GetFileName(folder) + ".csproj")).Descendants("ProjectReference")
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
                .Order().ToArray());
        Assert.Equal(References.Keys.Order(), actual.Keys.Order());
        foreach (var (project, references) in References) Assert.Equal(references, actual[project]);
    }

    [Fact]
    public void Tokenizers_use_nothing_else_of_Data()
    {
        foreach (string path in Sources("src/Finery.Data/Tokenizers"))
            Assert.DoesNotContain(File.ReadLines(path), line => line.StartsWith("using Finery.", StringComparison.Ordinal)
                && !line.StartsWith("using Finery.Data.Tokenizers", StringComparison.Ordinal));
    }

    [Fact]
    public void Files_have_at_most_600_lines()
    {
        foreach (string path in Sources("src", "tests", "benchmarks"))
            Assert.True(File.ReadLines(path).Count() <= 600, $"{path} is longer than 600 lines");
    }

    [Fact]
    public void No_file_is_a_drawer()
    {
        foreach (string path in Sources("src", "tests", "benchmarks"))
            Assert.DoesNotContain(Drawers, drawer => Path.GetFileNameWithoutExtension(path).EndsWith(drawer, StringComparison.Ordinal));
    }
}
