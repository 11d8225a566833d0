using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Workflow.Runs.Report;

/// <summary>What a reader of the model folder needs to know: architecture, data, intended use, limits.</summary>
internal static class ModelCardSection
{
    public static void Write(HtmlWriter html, RunRecords records)
    {
        var model = records.Steps.LastOrDefault(step => step.Type is "pretrain" or "finetune" or "align");
        string folder = model is null ? "" : records.ModelFolder(model);
        if (!File.Exists(Path.Combine(folder, "config.json"))) return;
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json"))) as JsonObject ?? [];
        html.Heading("Model card");
        html.Table(["", ""],
        [
            ["format", "Hugging Face folder: config.json, model.safetensors (fp32), tokenizer.json"],
            ["architecture", $"Llama: RMSNorm, rotary positions, grouped-query attention, SwiGLU, {(config["tie_word_embeddings"]?.GetValue<bool>() == true ? "tied" : "untied")} embeddings"],
            .. new[]
            {
                "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "vocab_size",
                "max_position_embeddings",
            }.Where(key => config[key] is not null).Select(key => new[] { key, config[key]!.ToJsonString() }),
            ["training", string.Join(", then ", records.Steps.Where(step => step.Type is "pretrain" or "finetune" or "align").Select(step => step.Name))],
            ["text", records.OfType("read").FirstOrDefault()?.Status.Settings["paths"] is JsonArray { Count: > 0 } paths
                ? string.Join(" ", paths.Select(path => (string?)path)) : "XML documentation of the installed .NET SDK (English, technical)"],
        ]);
        html.Paragraph("Intended use: a demonstration that the whole toolchain works on this machine, and a start for your own recipe. "
            + "A model of this size, trained for minutes, writes plausible sentences and often wrong facts: do not rely on its answers.");
        html.Details("Recipe as run", () => html.Preformatted(records.Run.Recipe()));
        html.Details("config.json", () => html.Preformatted(config.ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
    }
}
