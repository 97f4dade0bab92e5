/* The few classes of jsoncpp that the example of annex A uses, so that the test needs no package: values
 * are texts, numbers or objects, and letters of several bytes pass through as they are.
 */
#ifndef JSON_STAND_IN_H
#define JSON_STAND_IN_H

#include <cctype>
#include <cstdlib>
#include <map>
#include <string>

namespace Json {

class Value {
public:
    Value() : kind(Null) {}
    Value(const char *text) : kind(Text), text(text) {}
    Value &operator[](const char *name) {
        if (kind == Null) kind = Object;
        return members[name];
    }
    bool isObject() const { return kind == Object; }
    bool isMember(const char *name) const { return members.count(name) != 0; }
    int asInt() const { return std::atoi(text.c_str()); }
    std::string asString() const { return text; }

    enum Kind { Null, Text, Plain, Object } kind;
    std::string text;
    std::map<std::string, Value> members;
};

class FastWriter {
public:
    std::string write(const Value &value) { return whole(value) + "\n"; }

private:
    static std::string quoted(const std::string &text) { return "\"" + text + "\""; }
    static std::string whole(const Value &value) {
        if (value.kind == Value::Text) return quoted(value.text);
        std::string out = "{";
        std::map<std::string, Value>::const_iterator at = value.members.begin();
        for (; at != value.members.end(); ++at) {
            if (out.size() > 1) out += ",";
            out += quoted(at->first) + ":" + whole(at->second);
        }
        return out + "}";
    }
};

class Reader {
public:
    bool parse(const std::string &text, Value &value) {
        at = text.c_str();
        return read(value) && (space(), *at == 0);
    }

private:
    const char *at;

    void space() {
        while (std::isspace((unsigned char)*at)) at++;
    }
    bool text(std::string &out) {
        if (*at++ != '"') return false;
        while (*at && *at != '"') {
            if (*at == '\\') at++;
            out += *at++;
        }
        return *at++ == '"';
    }
    bool read(Value &value) {
        space();
        if (*at == '"') {
            value.kind = Value::Text;
            return text(value.text);
        }
        if (*at != '{') {
            value.kind = Value::Plain;
            while (*at && *at != ',' && *at != '}') value.text += *at++;
            return !value.text.empty();
        }
        value.kind = Value::Object;
        do {
            at++;
            space();
            if (*at == '}') break;
            std::string name;
            if (!text(name) || (space(), *at++ != ':') || !read(value.members[name])) return false;
            space();
        } while (*at == ',');
        return *at++ == '}';
    }
};

}

#endif
