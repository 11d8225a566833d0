using System.Text.Json.Nodes;

namespace Finery.Cli.Serving;

/// <summary>A refusal in the form OpenAI clients know: <c>{"error":{"message","type","param","code"}}</c>.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="message">What was wrong and what to do.</param>
/// <param name="type">Kind of error.</param>
/// <param name="param">Field at fault.</param>
/// <param name="code">Stable identifier.</param>
public sealed class ApiException(
    int status, string message, string type = "invalid_request_error", string? param = null, string? code = null)
        : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status => status;

    /// <summary>Further fields of the error object.</summary>
    public IReadOnlyList<(string Name, int Value)> Figures { get; init; } = [];

    /// <summary>A field with an impossible value.</summary>
    public static ApiException Invalid(string param, string message, string code = "invalid_value") =>
        new(400, message, param: param, code: code);

    /// <summary>A feature of the API this server does not have. Refused, because ignoring it would answer another
    /// question.</summary>
    public static ApiException Unsupported(string param, string what) =>
        new(400, $"{what} not supported by this server. Remove '{param}' from the request.", param: param,
            code: "unsupported_parameter");

    /// <summary>The body.</summary>
    public JsonObject ToJson()
    {
        var error = new JsonObject { ["message"] = Message, ["type"] = type, ["param"] = param, ["code"] = code };
        foreach (var (name, value) in Figures) error[name] = value;
        return new JsonObject { ["error"] = error };
    }
}
