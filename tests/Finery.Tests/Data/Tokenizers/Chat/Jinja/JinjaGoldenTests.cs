using Xunit;

namespace Finery.Tests.Data.Tokenizers.Chat.Jinja;

public class JinjaGoldenTests
{
    [Fact]
    public void Templates_render_as_Jinja2_renders_them()
    {
        var templates = new RenderedTemplates(RenderedTemplates.Assets);
        templates.CompareTemplates();
        Assert.Empty(templates.Differences);
        Assert.True(templates.Equal > 100);
    }

    [Fact]
    public void Snippets_of_every_feature_give_what_Jinja2_gives()
    {
        var templates = new RenderedTemplates(RenderedTemplates.Assets);
        templates.CompareSnippets();
        Assert.Empty(templates.Differences);
        Assert.True(templates.Equal > 300);
    }

    [Fact]
    [Trait("Category", "External")]
    public void Templates_of_published_models_render_as_Jinja2_renders_them()
    {
        string? folder = Environment.GetEnvironmentVariable("FINERY_TEMPLATES");
        if (folder is null)
        {
            Assert.Skip("Set FINERY_TEMPLATES to a folder of templates with conversations.json and the expected.json " +
                "that Assets/Chat/goldens.py makes of them.");
        }
        var templates = new RenderedTemplates(folder);
        templates.CompareTemplates();
        if (File.Exists(Path.Combine(folder, "snippets.json"))) templates.CompareSnippets();
        string report = $"{templates.Equal} of {templates.Cases} equal\n{string.Join('\n', templates.Differences)}";
        TestContext.Current.TestOutputHelper?.WriteLine(report);
        if (Environment.GetEnvironmentVariable("FINERY_TEMPLATES_REPORT") is { } path) File.WriteAllText(path, report);
        Assert.True(templates.Differences.Count == 0, report.Length > 20_000 ? report[..20_000] : report);
    }
}
