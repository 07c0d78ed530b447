using System.Text.Json;
using Decant.Controller.Planning;

namespace Decant.Controller.Console;

/// <summary>What is not as it should be, for people and for machines.</summary>
internal static class FindingText
{
    /// <summary>Lines for people; one that says so when all is well.</summary>
    public static IEnumerable<string> Of(IReadOnlyList<Finding> findings)
    {
        yield return "";
        if (findings.Count == 0)
        {
            yield return "everything is as it should be";
            yield break;
        }

        yield return "not as it should be";
        foreach (var line in findings.SelectMany(Lines)) yield return line;
    }

    /// <summary>One of them.</summary>
    public static IEnumerable<string> Lines(Finding finding)
    {
        var where = finding switch
        {
            { Host: null } => "",
            { Slot: null } => $"{finding.Host}: ",
            _ => $"{finding.Host} ({finding.Slot}): ",
        };
        yield return $"  {where}{finding.Is}";
        yield return $"    should be: {finding.ShouldBe}";
        yield return $"    mend: {finding.Mend}";
    }

    /// <summary>Writes the members of one into the open object.</summary>
    public static void Write(Utf8JsonWriter writer, Finding finding)
    {
        writer.WriteString("finding", JsonNamingPolicy.SnakeCaseLower.ConvertName(finding.Kind.ToString()));
        writer.WriteString("host", finding.Host?.Value);
        writer.WriteString("slot", finding.Slot?.Value);
        writer.WriteString("is", finding.Is);
        writer.WriteString("should_be", finding.ShouldBe);
        writer.WriteString("mend", finding.Mend);
        writer.WriteBoolean("by_repair", finding.IsByPlan);
    }
}
