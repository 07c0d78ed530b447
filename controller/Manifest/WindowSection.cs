using System.Globalization;

namespace Decant.Controller.Manifest;

/// <summary>Reads when deployments may begin.</summary>
internal static class WindowSection
{
    private static readonly IReadOnlyList<DayOfWeek> EveryDay = Enum.GetValues<DayOfWeek>();

    /// <summary>The part <c>strategy.window</c>; null when there is none.</summary>
    public static MaintenanceWindow? Read(ManifestSection? section)
    {
        if (section is null) return null;
        var (from, to) = (Time(section, "from"), Time(section, "to"));
        if (from is not null && from == to) section.Refuse("to", "is when it begins", "leave `window` out when deployments may always begin");
        var days = section.Has("days") ? Days(section) : EveryDay;
        var zone = Zone(section);
        return from is { } begin && to is { } end ? new MaintenanceWindow(begin, end, days, zone) : null;
    }

    private static TimeOnly? Time(ManifestSection section, string key)
    {
        if (!section.Has(key)) section.Refuse(key, "is missing", $"write {key}: \"22:00\"");
        if (section.Scalar(key) is not { Text: var text }) return null;
        if (TimeOnly.TryParseExact(text, "H:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)) return time;
        section.Refuse(key, $"is \"{ManifestPath.Shown(text)}\", not a time of day", $"write {key}: \"22:00\"");
        return null;
    }

    private static IReadOnlyList<DayOfWeek> Days(ManifestSection section)
    {
        var days = new List<DayOfWeek>();
        foreach (var word in section.Words("days", "days: [sat, sun]"))
        {
            var day = EveryDay.Where(d => d.ToString().StartsWith(word, StringComparison.OrdinalIgnoreCase) && word.Length >= 3).ToList();
            if (day.Count == 1) days.Add(day[0]);
            else section.Refuse("days", $"has \"{ManifestPath.Shown(word)}\", no day of the week", "write mon, tue, wed, thu, fri, sat, sun");
        }

        return days.Count == 0 ? EveryDay : [.. days.Distinct()];
    }

    private static TimeZoneInfo Zone(ManifestSection section)
    {
        if (section.Text("zone") is not { } name) return TimeZoneInfo.Utc;
        if (TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone)) return zone;
        section.Refuse("zone", $"is \"{ManifestPath.Shown(name)}\", which this machine does not know as a time zone", "write a name of the tz database, as in zone: Europe/Zurich");
        return TimeZoneInfo.Utc;
    }
}
